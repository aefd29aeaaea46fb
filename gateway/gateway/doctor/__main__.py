"""`python -m gateway.doctor`: for a host's own Python, where there is no engine."""

import sys

from gateway.doctor.command import main

sys.exit(main(sys.argv[1:]))
