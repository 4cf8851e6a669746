# One image for every Tollhouse process: Airflow components, collector, migrations.
FROM python:3.11-slim-bookworm

RUN apt-get update \
    && apt-get install --yes --no-install-recommends \
        libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 fonts-dejavu-core \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --create-home --home-dir /home/tollhouse tollhouse

WORKDIR /opt/tollhouse
COPY requirements.txt pyproject.toml README.md LICENSE NOTICE ./
# The lock holds wheels only: no compiler, no build step, every file checked against its hash.
RUN pip install --no-cache-dir --no-deps --require-hashes --only-binary :all: -r requirements.txt

COPY . .
RUN pip install --no-cache-dir --no-deps --no-build-isolation -e . \
    && mkdir -p var \
    && chown -R tollhouse:tollhouse var

USER tollhouse
ENV AIRFLOW_HOME=/opt/tollhouse/var/airflow \
    TOLLHOUSE_VAR=/opt/tollhouse/var \
    PYTHONUNBUFFERED=1
ENTRYPOINT ["airflow"]
CMD ["version"]
