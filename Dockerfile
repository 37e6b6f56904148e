# One image for every process of Skiff; docker-compose.yml says which one a container runs.
ARG NODE_IMAGE=node:24-bookworm-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /skiff
COPY . .
RUN npm install --ignore-scripts --no-audit --no-fund && node_modules/.bin/tsc -b && npm prune --omit=dev --ignore-scripts --no-audit --no-fund

FROM ${NODE_IMAGE}
RUN apt-get update \
 && apt-get install -y --no-install-recommends conntrack iproute2 iptables nftables procps util-linux \
 && rm -rf /var/lib/apt/lists/*
COPY --from=build /skiff /skiff
ENTRYPOINT ["node", "/skiff/packages/cli/dist/main.js"]
