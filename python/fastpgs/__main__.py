"""``python -m fastpgs``: the same as the ``fastpgs`` command."""

from fastpgs.cli import main

main()
