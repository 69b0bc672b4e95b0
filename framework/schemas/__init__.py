"""What is packaged of applications: a module of facts for each, and tables that few commands need."""

#: Application -> its tables, each a file `{app}.{table}.yml`. A part that is listed here and is not there is an error.
PACKAGED = {"airflow": ("older", "values")}
