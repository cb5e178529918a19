# Targets: control-plane, agent, identity. Build from the root of the checkout.
FROM node:24-bookworm-slim AS build
WORKDIR /src
COPY . .
RUN npx --yes pnpm@12.21.0 install --frozen-lockfile && node scripts/build.ts

# Makes the keys and credentials of the fleet's NATS server.
FROM build AS identity
ENTRYPOINT ["node", "infra/nats-identity.ts"]

FROM node:24-bookworm-slim AS control-plane
COPY --from=build /src/apps/control-plane/dist /app
EXPOSE 7575
ENTRYPOINT ["node", "--enable-source-maps", "--max-semi-space-size=2", "/app/main.mjs"]

# The packages are those of infra/bootstrap/packages.mjs that a host needs.
FROM node:24-bookworm-slim AS agent
RUN apt-get update \
  && apt-get install --yes --no-install-recommends catatonit conmon crun iproute2 runc socat \
  && rm -rf /var/lib/apt/lists/*
COPY --from=build /src/apps/agent/dist /app
ENTRYPOINT ["node", "--max-semi-space-size=2", "/app/main.mjs"]
