"""The parts of tools/compare.py: builds, bits and speed. The rest runs in each build, see child.py."""
