# make demo   show what embeddings are and do, on emoji   make test   run the tests
# make check  what CI runs                               make pin    renew requirements.txt
# make recipes DATA=dir [RECIPES="emoji lfw"]            rerun recipes/ and check their figures
VENV := .venv
PYTHON ?= python3
BIN := $(VENV)/bin

.PHONY: demo test check pin recipes clean

demo: $(VENV)/.installed
	$(BIN)/nearkin demo

test: $(VENV)/.installed
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

check: $(VENV)/.installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(MAKE) test

# uv takes seconds where pip takes minutes; pip serves where uv cannot be had.
$(VENV)/.installed: requirements.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet uv \
	  && $(BIN)/uv pip install --quiet --python $(BIN)/python -r requirements.txt \
	  || $(BIN)/python -m pip install --quiet -r requirements.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

pin: $(VENV)/.installed
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-header --no-annotate \
	  --extra dev --extra heif pyproject.toml --output-file requirements.txt

recipes: $(VENV)/.installed
	$(BIN)/python recipes/run.py --data $(DATA) $(RECIPES)

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache
