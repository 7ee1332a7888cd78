# Everything is set up in .venv by the first target that needs it, and what it is compared
# with in .venv-peers and .venv-redis-peers; nothing else is touched.
VENV := .venv
PEERS := .venv-peers
REDIS_PEERS := .venv-redis-peers
PY := $(VENV)/bin/python
export PYO3_PYTHON := $(CURDIR)/$(PY)
# A file's tests share servers, and many only wait.
PYTEST = $(PY) -m pytest -q -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder
RUST := Cargo.toml Cargo.lock $(shell find src -name '*.rs')

.PHONY: help demo test test-full bench bench-peers bench-redis bench-publish bench-core wheel format clean
.PHONY: lint lint-rust lint-python tests-built

help:
	@echo "make demo       a FastAPI app under load, limited three ways: table and picture"
	@echo "make test       the Rust and the Python tests"
	@echo "make test-full  the same, with the long ones"
	@echo "make bench      the same work for sluicegate and its peers, in memory (bench-peers)"
	@echo "                and in Redis (bench-redis); QUICK=1: two minutes"
	@echo "make bench-core sluicegate alone, beside a dict look-up (QUICK=1: under a minute)"
	@echo "make lint       rustfmt, clippy, ruff, mypy, pyright, stubtest"
	@echo "make wheel      the wheel, in dist/"

demo: $(VENV)/demo $(VENV)/built
	@$(PY) examples/demo.py $(DEMO)

test: $(VENV)/test
	@$(MAKE) --no-print-directory -j2 $(VENV)/built tests-built
	cargo test --no-default-features --features redis,zone --quiet
	$(PYTEST)

# Beside the release build, which has one long step on one core.
tests-built:
	cargo test --no-default-features --features redis,zone --quiet --no-run

test-full: $(VENV)/test $(VENV)/built
	PROPTEST_CASES=20000 cargo test --no-default-features --features redis,zone --release --quiet
	HYPOTHESIS_PROFILE=long $(PYTEST) -m 'long or not long'
	cargo test --no-default-features --features redis,zone --release --quiet -- --ignored --test-threads=1 zone::

bench: bench-peers bench-redis

bench-peers: $(PEERS)/installed $(VENV)/built
	@PYTHONPATH=python $(PEERS)/bin/python -m benches.peers $(BENCH)

bench-redis: $(REDIS_PEERS)/installed $(VENV)/built
	@PYTHONPATH=python $(REDIS_PEERS)/bin/python -m benches.redis

# After a full run: its tables and pictures go into README.md and docs.
bench-publish:
	$(PY) -m benches.publish

bench-core: $(VENV)/test $(VENV)/built
	$(PY) -m benches.python

lint: lint-rust lint-python

lint-rust: $(VENV)/lint
	cargo fmt --check
	cargo clippy --quiet --all-targets -- -D warnings
	cargo clippy --quiet --all-targets --no-default-features -- -D warnings
	cargo clippy --quiet --all-targets --no-default-features --features zone -- -D warnings
	cargo check --quiet --no-default-features
	cargo check --quiet --no-default-features --features redis

lint-python: $(VENV)/lint $(VENV)/built
	$(PY) tools/check_structure.py
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy
	$(VENV)/bin/pyright
	$(PY) -m mypy.stubtest sluicegate._core --ignore-disjoint-bases
	$(PY) tools/stub_docstrings.py --check

wheel: $(VENV)/tools
	$(VENV)/bin/maturin build --release --out dist

format: $(VENV)/lint
	cargo fmt
	$(VENV)/bin/ruff check --fix
	$(VENV)/bin/ruff format

clean:
	rm -rf $(VENV) $(PEERS) $(REDIS_PEERS) target dist demo-output bench-output

$(VENV)/tools: tools/make_venv.sh
	sh tools/make_venv.sh $(VENV)
	$(PY) -m pip install --quiet --upgrade 'pip>=25.1' 'maturin>=1.9.4,<2'
	@touch $@

$(VENV)/demo $(VENV)/test $(VENV)/lint: $(VENV)/%: $(VENV)/tools pyproject.toml
	@echo "installing what '$*' needs ..."
	$(PY) -m pip install --quiet --group $*
	@touch $@

$(PEERS)/installed: benches/peers/libraries.txt
$(REDIS_PEERS)/installed: benches/redis/libraries.txt
$(PEERS)/installed $(REDIS_PEERS)/installed: %/installed: tools/make_venv.sh tools/install_peers.sh
	sh tools/make_venv.sh $*
	@echo "installing the libraries that sluicegate is compared with ..."
	$*/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
	$*/bin/python -m pip install --quiet --group bench
	@sh tools/install_peers.sh $*/bin/python $(filter %.txt,$^)
	@touch $@

$(VENV)/built: $(VENV)/tools pyproject.toml $(RUST)
	@echo "building the Rust core (a few minutes the first time) ..."
	$(VENV)/bin/maturin develop --release --strip --quiet
	@touch $@
