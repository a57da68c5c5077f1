"""Every error that either plane can answer, one function each, a file for each noun.

Texts that were seen on AWS are literal. Those that were never captured are marked unverified; they are
isolated here so that a capture changes one line. `__type` on the JSON API is the code; the registry maps
codes to OCI codes in `registry/errors.py`.
"""

from ecr_emu.errors.access import *
from ecr_emu.errors.deeds import *
from ecr_emu.errors.error import EcrError as EcrError
from ecr_emu.errors.failures import *
from ecr_emu.errors.images import *
from ecr_emu.errors.layers import *
from ecr_emu.errors.policies import *
from ecr_emu.errors.query import *
from ecr_emu.errors.registries import *
from ecr_emu.errors.repositories import *
from ecr_emu.errors.requests import *
from ecr_emu.errors.upstreams import *
