"""Looking into images: what is installed, and which advisories are about it; knows no repositories."""
