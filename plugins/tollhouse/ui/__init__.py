"""What people see of Tollhouse inside the Airflow UI."""
