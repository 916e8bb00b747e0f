# `make` alone lists the targets.
PY := .venv/bin/python
.DEFAULT_GOAL := help
.PHONY: help install up test test-full fresh lint bench demo-models lock clean

help: ## List the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

install: ## Install the product and its development tools into .venv/
	@scripts/install

up: install ## Start the whole system on this machine with the demo models and demo traffic (Ctrl-C stops it)
	@$(PY) -m understudy up $(ARGS)

test: install ## Run every check and test, the long ones at small counts
	@scripts/test

test-full: install ## Run the same at full counts, and what the README says on a machine that holds nothing else
	@UNDERSTUDY_FULL=1 scripts/test
	@scripts/mutate
	@scripts/fresh

fresh: ## Run the README's two commands in a copy with an empty home and no other programs
	@scripts/fresh $(ARGS)

lint: install ## Formatting, style, types and layers
	@scripts/lint

bench: install ## Run the benchmarks quickly; JSON into .understudy-bench/
	@scripts/bench

demo-models: install ## Train the demo models again (at most 150 minutes on 2 cores with bf16, resumable)
	@$(PY) -m demo.training.train --out demo $(ARGS)

lock: ## Resolve the locked versions again
	@scripts/lock

clean: ## Remove what tests and tools leave behind (keeps .venv and the state directory)
	@rm -rf .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .test-tmp build dist *.egg-info
	@find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
