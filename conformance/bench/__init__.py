"""How fast and how large the emulator is beside other registries on the same machine."""
