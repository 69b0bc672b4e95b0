"""PyInstaller's hook: modules are imported by name when they are first used, and tables are read as resources."""

from PyInstaller.utils.hooks import collect_data_files, collect_submodules

hiddenimports = collect_submodules("framework", filter=lambda name: name != "framework.pytest_plugin")
datas = collect_data_files("framework", excludes=["**/*.py"])
