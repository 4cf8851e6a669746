# The commands of Tollhouse. Each makes what it needs first: from a fresh clone, `make demo` and `make test` suffice.

.DEFAULT_GOAL := help
.PHONY: help env env-develop up down demo test lint docs bench lock clean
# One target at a time: they share .venv, var/ and ports.
.NOTPARALLEL:

BIN := .venv/bin

help: ## Show the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

env: ## Make or complete .venv and the system packages that running needs
	@scripts/environment.sh run

env-develop:
	@scripts/environment.sh develop

up: env ## Start PostgreSQL, Airflow and the collector
	@$(BIN)/tollhouse up

down: ## Stop exactly what `make up` and `make demo` started
	@if [ -x $(BIN)/tollhouse ]; then $(BIN)/tollhouse down; else echo "Nothing runs: there is no environment."; fi

demo: env ## Everything at work on simulated PBXs: tickets to invoices, with a summary at the end
	@$(BIN)/tollhouse demo

# A worker per processor, each with servers of its own; the whole stack has the machine to itself.
SIDE_BY_SIDE := -n auto --maxprocesses 4 --dist loadscope

test: env-develop ## Run the tests: no database, then PostgreSQL, then the whole stack
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) -m "not postgres and not stack"
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) -m "postgres and not stack"
	$(BIN)/python -m pytest -m stack

lint: env-develop ## Check style, types and SQL
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/sqlfluff lint dbt_project/models dbt_project/tests
	$(BIN)/dbt --quiet parse --project-dir dbt_project --profiles-dir dbt_project \
		--target-path ../var/dbt/parsed --log-path ../var/dbt/parsed

docs: env ## Generate the dbt docs site (var/dbt/target) and docs/pbx.md
	$(BIN)/tollhouse docs

bench: env ## Measure collecting, landing and building beside floors of the same run
	$(BIN)/python -m lab.collector_bench
	$(BIN)/python -m lab.sql_bench
	$(BIN)/python -m lab.files_bench
	$(BIN)/python -m lab.layout_bench
	$(BIN)/python -m lab.bench

lock: env-develop ## Compile requirements.in to the pinned, hashed requirements.txt (needs uv)
	uv pip compile requirements.in --override requirements-overrides.txt --generate-hashes \
		--only-binary :all: --python-version 3.11 --no-header --no-annotate -o requirements.txt
	uv pip compile requirements-dev.in --generate-hashes --only-binary :all: --python-version 3.11 \
		--no-header --no-annotate -o requirements-dev.txt

clean: ## Stop everything; remove .venv and all that is not source, data included
	@if [ -x $(BIN)/tollhouse ]; then $(BIN)/tollhouse down --erase-database; fi
	rm -rf .venv var .pytest_cache .mypy_cache .ruff_cache
