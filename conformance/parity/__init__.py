"""What AWS answers, written down as data with its source, and a runner that asks any endpoint the same."""
