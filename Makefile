# Every target sets up what it needs, in .venv, on a machine with Python 3.10+, git and make.
#
#   make demo    count a ResNet-50 and a training step in a real IPython shell
#   make test    lint, types and all tests    (ARGS="-k units" goes to pytest)
#   make lint    lint and types alone    (make lint-js, make test-js: the widget's JavaScript alone)
#   make test-all-programs  2,000 random programs, all samples of PyTorch's operators for other paths, all dry runs
#   make coverage  the tests, and which lines of the package they ran
#   make test-device DEVICE=cuda  what a real GPU is to be checked with (or mps, xpu, cpu), on PYTHON's PyTorch
#   make hooks   has git run the checks of `make lint` before each commit
#   make rehearse  what strangers do: Binder, the README, the wheel, each in a fresh environment
#   make test-hosts  the widget in VS Code's bundle, marimo, Voila and pages without a kernel
#   make test-libraries  the tests of libraries that are built on PyTorch, which it installs
#   make test-cuda  the tests of accelerators on PyTorch's CUDA build, on a simulated GPU
#   make test-oldest  the tests on the oldest PyTorch and IPython that are supported
#   make test-newest  the tests on the newest of everything
#   make test-torch   the tests on another PyTorch  (TORCH=2.6.0 says which)
#   make test-colab   the magics, tutorials and views on the packages of Google Colab
#   make test-nightly  the tests on PyTorch's nightly build  (TORCH_NIGHTLY_INDEX says where it is)
#   make docs    the reference and the table of operators, which are made of the code
#   make dist    the wheel and the source distribution, checked
#   make pictures  the pictures of the README and the tour, and the tour's text, on a quiet machine
#   make bench   what counting costs, beside other tools (ARGS="--rounds 5 tiny_forward")
#   make probes  what each of the other tools finds in two runs that a hand can check
#   make pages   the tutorials with their outputs, as HTML in build/pages
#   make lab     JupyterLab on the tutorials  (ARGS="--no-browser" goes to JupyterLab)
#   make clean   remove what the tools left, but keep .venv (distclean removes that too)

PYTHON ?= python3
ARGS ?=
DEVICE ?= cuda
TORCH_NIGHTLY_INDEX ?=
# Test processes, each with one thread for PyTorch; WORKERS=0 runs all tests in one.
WORKERS ?= auto
# Files are taken in their order: a slow file of few tests that came last would keep one process busy.
# A test that hangs fails, with the stacks of all threads. One that ends its process ends the run: a new
# process would try it again, and pytest-xdist would wait for ever.
SHARED := --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder --max-worker-restart 0 \
    --timeout 300 --timeout-method signal

# Old packages say of themselves and of each other that they are deprecated.
OLD := -W ignore::DeprecationWarning

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# The PyTorch that this repository is developed with. It is installed before everything else, so
# that no other requirement picks a newer build, with gigabytes of CUDA libraries, on its own.
TORCH := 2.13.0

# Node.js comes with .venv; npm brings what checks the widget's JavaScript, and leaves this file.
NODE := $(BIN)/node
NODE_MODULES := tests/javascript/node_modules
NODE_READY := $(NODE_MODULES)/.package-lock.json

# The CUDA build of PyTorch that runs on the simulator, and the header with NVIDIA's types.
CUDA_TORCH ?= 2.13.0
# The Triton that this PyTorch asks for comes with it, and a library that launches Triton kernels.
LINEAR_ATTENTION := fla-core==0.6.0
CUDA_HEADERS := nvidia-cuda-runtime==13.0.96
CUDA_VENV := $(VENV)-cuda-$(CUDA_TORCH)

.PHONY: demo test test-device test-js test-libraries test-cuda test-all-programs coverage hooks test-hosts test-oldest test-newest test-torch test-colab test-nightly lint lint-js rehearse docs pictures dist bench probes pages lab clean distclean

demo: $(READY)
	$(BIN)/python notebooks/demo.py

test: lint test-js
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(SHARED) $(ARGS)

test-js: $(READY)
	$(NODE) --test "tests/javascript/test_*.js"

lint: $(READY) lint-js
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/yamllint --strict .

lint-js: $(NODE_READY)
	$(NODE) $(NODE_MODULES)/typescript/bin/tsc --project tests/javascript
	$(NODE) $(NODE_MODULES)/eslint/bin/eslint.js --config tests/javascript/eslint.config.js \
	    --max-warnings 0 ipyflops/views/widget/static tests/javascript

$(NODE_READY): $(READY) tests/javascript/package.json tests/javascript/package-lock.json
	cd tests/javascript && ../../$(BIN)/npm ci --silent
	touch $@

# A sample of each is part of `make test`; all of it takes more than an hour.
test-all-programs: $(READY)
	IPYFLOPS_PROGRAMS=2000 IPYFLOPS_ALL_SAMPLES=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(SHARED) \
	    tests/oracles/test_random_mixtures.py tests/pytorch_databases/test_other_paths.py \
	    tests/pytorch_databases/test_module_db.py tests/pytorch_databases/test_remembered_costs.py \
	    tests/counting/memory/test_tracker.py tests/dry_runs tests/architectures/test_fake.py \
	    tests/safety/test_notebook_memory.py tests/safety/test_interrupts.py $(ARGS)

# With the machine's own PyTorch, and nothing is installed: a machine with a GPU may have no network.
test-device:
	PYTHONPATH=$(CURDIR) $(PYTHON) -m tests.accelerators.device --device $(DEVICE) $(ARGS)

# On its own, because a tracer takes the place where the counter marks frames, and its time.
coverage: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(SHARED) --cov --cov-report=term-missing:skip-covered \
	    --ignore tests/browser $(ARGS)

# They come after `make test` in .ci/run, which shows that nothing else needs them.
test-libraries: $(VENV)/.libraries
	IPYFLOPS_LIBRARIES=required OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(SHARED) tests/libraries $(ARGS)

$(VENV)/.libraries: $(READY)
	$(BIN)/python -m pip install --quiet torch==$(TORCH) --editable '.[test,libraries]'
	touch $@

hooks: $(READY)
	$(BIN)/python -m pip install --quiet pre-commit
	$(BIN)/pre-commit install

rehearse: $(READY)
	IPYFLOPS_REHEARSE=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(SHARED) $(ARGS) tests/rehearsal

# Other front ends' own programs: npm's beside the tests, pip's in an environment that sees .venv.
HOSTS := tests/browser/hosts

test-hosts: $(VENV)-hosts/.ready $(HOSTS)/node_modules/.package-lock.json
	IPYFLOPS_HOSTS=$(CURDIR)/$(VENV)-hosts OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(SHARED) $(ARGS) $(HOSTS)

$(HOSTS)/node_modules/.package-lock.json: $(READY) $(HOSTS)/package.json $(HOSTS)/package-lock.json
	cd $(HOSTS) && ../../../$(BIN)/npm ci --silent
	touch $@

$(VENV)-hosts/.ready: $(READY) $(HOSTS)/requirements.txt
	$(BIN)/python -m venv $(VENV)-hosts
	echo "import site; site.addsitedir('$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')')" \
	    > $$($(VENV)-hosts/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/venv.pth
	$(VENV)-hosts/bin/python -m pip install --quiet --requirement $(HOSTS)/requirements.txt
	$(VENV)-hosts/bin/python -m pip install --quiet --no-deps --upgrade --target $(VENV)-hosts/ipywidgets7 \
	    ipywidgets==7.7.1 ipython_genutils==0.2.0
	$(VENV)-hosts/bin/python -m pip install --quiet --no-deps --upgrade --target $(VENV)-hosts/consoles \
	    spyder-kernels==3.1.6 ipykernel==6.31.0 cloudpickle==3.1.3 wurlitzer==3.1.1 pydevd==3.5.0
	touch $@

# Downloads 600 MB, once. What runs on two GPUs is skipped on one, and the other way round.
CUDA_TESTS := tests/accelerators tests/counting/test_clock.py tests/counting/test_cuda_clock.py tests/test_torch_private.py \
    tests/safety/test_engine_threads.py
test-cuda:
	@if [ "$$(uname -s)" != Linux ] || ! command -v g++ >/dev/null || ! command -v nm >/dev/null; then \
	    echo "make test-cuda: skipped, because the simulator needs Linux, g++ and nm"; \
	else \
	    $(MAKE) --no-print-directory $(CUDA_VENV)/.ready && \
	    export LD_LIBRARY_PATH=$$PWD/$(CUDA_VENV)/simulator OMP_NUM_THREADS=1 && \
	    SIMULATOR_DEVICES=2 $(CUDA_VENV)/bin/python -m pytest $(SHARED) $(ARGS) $(CUDA_TESTS); \
	fi

# === takes the build with CUDA, also where a CPU build of the same release is at hand.
$(CUDA_VENV)/.ready: $(wildcard tests/accelerators/simulator/*/*) $(wildcard tests/accelerators/simulator/*.*)
	test -x $(CUDA_VENV)/bin/python || $(PYTHON) -m venv $(CUDA_VENV)
	$(CUDA_VENV)/bin/python -m pip install --quiet --no-deps --no-compile "torch===$(CUDA_TORCH)"
	$(CUDA_VENV)/bin/python -m pip install --quiet --requirement tests/accelerators/simulator/requirements.txt
	$(CUDA_VENV)/bin/python -m pip install --quiet --no-deps $(LINEAR_ATTENTION) \
	    "$$($(CUDA_VENV)/bin/python -m tests.accelerators.simulator.triton_release)"
	test -d $(CUDA_VENV)/headers || \
	    $(CUDA_VENV)/bin/python -m pip install --quiet --no-deps --target $(CUDA_VENV)/headers $(CUDA_HEADERS)
	$(CUDA_VENV)/bin/python -m tests.accelerators.simulator $(CUDA_VENV)/headers $(CUDA_VENV)/simulator
	touch $@

# Both download gigabytes on Linux, where other releases are to be had with CUDA libraries only.
test-oldest: $(VENV)-oldest/.ready
	OMP_NUM_THREADS=1 $(VENV)-oldest/bin/python -m pytest $(SHARED) $(OLD) --ignore tests/browser $(ARGS)

test-newest: $(VENV)-newest/.ready
	OMP_NUM_THREADS=1 $(VENV)-newest/bin/python -m pytest $(SHARED) --ignore tests/browser $(ARGS)

test-torch: $(VENV)-torch-$(TORCH)/.ready
	OMP_NUM_THREADS=1 $(VENV)-torch-$(TORCH)/bin/python -m pytest $(SHARED) $(OLD) --ignore tests/browser $(ARGS)

# PyTorch stands in no list of Colab's packages here: the one that is developed with has a CPU build.
test-colab: $(VENV)-colab/.ready
	$(VENV)-colab/bin/python -m pip uninstall --quiet --yes ipyflops
	$(VENV)-colab/bin/python -m pip install --quiet --report $(VENV)-colab/report.json .
	IPYFLOPS_COLAB=$(VENV)-colab/report.json OMP_NUM_THREADS=1 $(VENV)-colab/bin/python -m pytest $(SHARED) $(OLD) \
	    tests/colab tests/magics tests/views/widget $(ARGS)

# The nightly build is another one every night, so it is installed anew each time.
test-nightly: $(VENV)-nightly/bin/python
	@test -n "$(TORCH_NIGHTLY_INDEX)" || { \
	    echo "make test-nightly: set TORCH_NIGHTLY_INDEX to PyTorch's index of nightly builds"; exit 1; }
	$< -m pip install --quiet --upgrade --pre --index-url "$(TORCH_NIGHTLY_INDEX)" torch
	$< -m pip install --quiet --editable '.[test,pandas,lab]'
	OMP_NUM_THREADS=1 $< -m pytest $(SHARED) --ignore tests/browser $(ARGS)

$(VENV)-nightly/bin/python:
	$(PYTHON) -m venv $(VENV)-nightly

$(VENV)-oldest/.ready: CONSTRAINT := --constraint tests/oldest.txt
$(VENV)-oldest/.ready $(VENV)-newest/.ready: pyproject.toml tests/oldest.txt
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet $(CONSTRAINT) --editable '.[test,pandas,lab]'
	touch $@

$(VENV)-torch-%/.ready: pyproject.toml
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet torch==$*
	$(@D)/bin/python -m pip install --quiet torch==$* --editable '.[test,pandas,lab]'
	touch $@

$(VENV)-colab/.ready: tests/colab/pins.txt tests/colab/tools.txt
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet torch==$(TORCH)
	$(@D)/bin/python -m pip install --quiet torch==$(TORCH) \
	    --requirement tests/colab/pins.txt --requirement tests/colab/tools.txt
	touch $@

docs: $(READY)
	$(BIN)/python -m tests.documentation.reference
	$(BIN)/python -m ipyflops.formulas --markdown > ipyflops/formulas/OPERATORS.md

# All in one session, so that the times on a page are those of one machine on one day.
pictures: $(VENV)-hosts/.ready $(HOSTS)/node_modules/.package-lock.json
	IPYFLOPS_HOSTS=$(CURDIR)/$(VENV)-hosts $(BIN)/python -m tests.browser.gallery $(ARGS)

dist: $(READY)
	rm -rf dist
	$(BIN)/python -m pip install --quiet build twine
	$(BIN)/python -m build
	$(BIN)/python -m twine check --strict dist/*

bench: $(VENV)/.bench
	PYTHONPATH=notebooks $(BIN)/python -m tests.benchmarks $(ARGS)

$(VENV)/.bench: $(READY) tests/benchmarks/requirements.txt
	sed 's/#.*//' tests/benchmarks/requirements.txt | while read -r one; do \
	    test -z "$$one" || $(BIN)/python -m pip install --quiet "$$one" torch==$(TORCH) \
	        || echo "make bench: $$one cannot be installed, so it is left out"; \
	done
	touch $@

# These tools are asked once in a while, and bring a lot with them: an environment of their own.
probes: $(VENV)-probes/.ready
	PYTHONPATH=$(CURDIR) OMP_NUM_THREADS=1 $(VENV)-probes/bin/python -m tests.benchmarks.probes $(ARGS)

$(VENV)-probes/.ready: pyproject.toml tests/benchmarks/probes.txt
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet torch==$(TORCH) --editable .
	sed 's/#.*//' tests/benchmarks/probes.txt | while read -r packages; do \
	    test -z "$$packages" || $(@D)/bin/python -m pip install --quiet $$packages torch==$(TORCH) \
	        || echo "make probes: $$packages cannot be installed, so it is left out"; \
	done
	$(@D)/bin/python -m pip install --quiet --no-deps --target $(@D)/ultralytics ultralytics-thop
	touch $@

# Runs every tutorial, so it takes some minutes.
pages: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.notebooks.pages build/pages $(ARGS)

lab: $(READY)
	$(BIN)/jupyter lab --allow-root $(ARGS) notebooks

clean:
	rm -rf build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find ipyflops tests notebooks \( -name __pycache__ -o -name .ipynb_checkpoints \) -prune -exec rm -rf {} +

distclean: clean
	rm -rf $(VENV) $(VENV)-oldest $(VENV)-newest $(VENV)-nightly $(VENV)-colab $(VENV)-probes $(VENV)-torch-* $(VENV)-cuda-* $(VENV)-hosts $(NODE_MODULES) $(HOSTS)/node_modules

$(READY): pyproject.toml Makefile
	@echo "Setting up $(VENV): pip downloads PyTorch, JupyterLab, Node.js and the tools of the tests. This takes some minutes, once."
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet torch==$(TORCH)
	$(BIN)/python -m pip install --quiet --editable '.[test,pandas,lab,browser]'
	touch $@
