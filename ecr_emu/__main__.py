"""`python -m ecr_emu` is the `ecr-emu` command."""

from ecr_emu.cli import main

main()
