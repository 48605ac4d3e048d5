"""One module a framework, each run in a process of its own by the Python that has the framework."""
