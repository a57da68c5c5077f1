"""Many clients for some minutes, slow ones among them, while one trouble after the other comes and goes."""
