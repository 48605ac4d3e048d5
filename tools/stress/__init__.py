"""Long tests from outside: hostile files, random models, kills, leaks, threads, forks, little memory.

``python -m tools.stress files kills --seconds 600 --seed 1``; docs/reliability.md says what each one shows.
They need pytest and hypothesis (the extra `test`), as the tables and networks of tests/ serve here too.
"""
