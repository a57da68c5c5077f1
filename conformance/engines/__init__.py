"""Tests that look at ecr-emu from outside, through real container engines."""
