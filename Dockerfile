FROM python:3.11-slim AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE zhongjing.py ./
COPY foundation foundation
COPY kg kg
COPY corpus corpus
COPY annotation annotation
COPY training training
COPY demo demo
RUN python -m venv /opt/zhongjing && /opt/zhongjing/bin/pip install --no-cache-dir '.[oidc]'

FROM python:3.11-slim
RUN useradd --system --create-home --home-dir /data zhongjing
COPY --from=build /opt/zhongjing /opt/zhongjing
ENV PATH=/opt/zhongjing/bin:$PATH PYTHONUNBUFFERED=1
USER zhongjing
WORKDIR /data
ENTRYPOINT ["zhongjing"]
CMD ["--help"]
