FROM node:24-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY client/package.json client/
RUN npm ci
COPY . .
RUN node scripts/build-package.ts --with-dependencies

FROM node:24-slim
COPY --from=build /app/dist /opt/messenger
RUN ln -s /opt/messenger/messenger.js /usr/local/bin/messenger && mkdir /data && chown node:node /data
ENV NODE_ENV=production DATABASE_URL=sqlite:/data/messenger.db
WORKDIR /data
VOLUME /data
USER node
EXPOSE 3000
HEALTHCHECK CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT || 3000}/health/live`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "--max-semi-space-size=16", "/opt/messenger/messenger.js"]
