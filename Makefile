# Each command does all the set-up that it needs, also on a fresh machine.
.DEFAULT_GOAL := help
.PHONY: help setup run test test-slow simulate-million mutants fuzz cost overhead objectives calm soak burst start-time
.PHONY: profile scale bench screenshots lint packages lock clean
SHELL := /bin/bash

PYTEST_FLAGS ?=
UPGRADE ?=
FUZZ_SECONDS ?= 60
OVERHEAD ?=
OBJECTIVES ?=
CALM ?=
SOAK ?=
BURST ?=
START ?=
PROFILE ?=
SCALE ?=
BENCH ?=

help:                ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' Makefile

setup:               ## make .venv, with mitmdump and wsa-proxy in its bin (PYTHON=... chooses the Python)
	@tools/setup.sh

run: setup           ## the main job in a lab of its own: two nodes, a client, an origin; needs neither root nor hosts
	@.venv/bin/wsa-proxy lab

test: setup packages lint  ## all the tests but the slow ones (INSTALL=1 as root: install the Debian packages that they need)
	@tools/test.sh $(PYTEST_FLAGS)

test-slow: setup packages  ## what takes minutes more: browsers in the lab, mismatches of three nodes, twenty switches, kills in a switch, load
	@tools/test-slow.sh $(PYTEST_FLAGS)

simulate-million: setup  ## a million seeds on the simulated LAN; some hours
	@.venv/bin/wsa-proxy simulate --seeds 1000000

mutants: setup       ## plant bugs into the protocol, one by one: each must be caught; ten minutes or more
	@.venv/bin/python -m tests.simulation.mutants

fuzz: setup          ## look for packets that break the receive path; a minute for each target (FUZZ_SECONDS=...)
	@.venv/bin/python -m tests.fuzz.campaign $(FUZZ_SECONDS)

cost: setup          ## what 1, 16 and 255 groups cost the proxy's loop, on this machine; six minutes
	@.venv/bin/python -m tests.bench.cost

overhead: setup      ## what the addon costs, beside plain mitmdump and keepalived; 20 minutes; needs wrk (OVERHEAD="--rounds 2")
	@.venv/bin/python -m tests.bench.overhead $(OVERHEAD)

objectives: setup    ## what a client feels of each fault, against what was promised; 25 minutes (OBJECTIVES="--only kill --runs 5")
	@.venv/bin/python -m tests.bench.objectives $(OBJECTIVES)

calm: setup          ## ten minutes of load, with up to 1,000 clients: no node may change its state; needs wrk (CALM="--seconds 20")
	@.venv/bin/python -m tests.bench.calm $(CALM)

soak: setup          ## an hour of load while 1 % of all frames is lost: no node may move, nothing may grow (SOAK="--minutes 5")
	@.venv/bin/python -m tests.bench.soak $(SOAK)

burst: setup         ## 1,000 clients at once, HTTP and TLS, to plain mitmdump, to a node, after a kill; ten minutes (BURST="--rounds 2")
	@.venv/bin/python -m tests.bench.burst $(BURST)

start-time: setup    ## from the start of a node to taking part, beside plain mitmdump; two minutes (START="--rounds 3")
	@.venv/bin/python -m tests.bench.start $(START)

profile: setup       ## where the processor's time of a busy node goes, with one group and with 255, and of idle ones; needs wrk (PROFILE="--seconds 5")
	@.venv/bin/python -m tests.bench.profile $(PROFILE)

scale: setup         ## takeovers of 2, 4 and 8 nodes, and of 1, 16 and 64 groups at once; twenty minutes (SCALE="--runs 1 --only groups")
	@.venv/bin/python -m tests.bench.scale $(SCALE)

bench: setup         ## the same faults beside keepalived and ucarp, into docs/benchmarks.md; an hour, as root (BENCH=--quick)
	@.venv/bin/wsa-proxy bench --output docs $(BENCH)

screenshots: setup   ## the page as Chromium shows it, into docs/images; needs chromium-driver and pngquant
	@.venv/bin/python -m tests.browser.screenshots

lint: setup          ## ruff and mypy --strict
	@echo "lint: ruff" && .venv/bin/ruff check
	@echo "lint: mypy --strict" && .venv/bin/mypy

packages:            # the Debian packages that some tests need; says what it does not install
	@tools/packages.sh

LOCKED := uv pip compile --universal --python-version 3.12 --generate-hashes --no-emit-index-url --no-emit-find-links \
    --custom-compile-command "make lock" --quiet

lock:                ## solve the two lock files anew from pyproject.toml; needs uv (UPGRADE=1 takes newer versions)
	$(LOCKED) $(if $(UPGRADE),--upgrade) pyproject.toml --group dev --output-file requirements.lock
	$(LOCKED) $(if $(UPGRADE),--upgrade) --group fuzz --output-file requirements-fuzz.lock

clean:               ## remove .venv and everything that was generated
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage htmlcov build dist
	find addons tests wsa_proxy -name __pycache__ -prune -exec rm -rf {} +
