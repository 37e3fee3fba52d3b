FROM node:24-slim
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY client/package.json client/
# The image provides Node.js, which --omit=optional leaves out.
RUN npm ci --omit=dev --omit=optional
COPY . .
ENV NODE_ENV=production DATABASE_URL=sqlite:/data/messenger.db
RUN mkdir /data && chown node:node /data
VOLUME /data
USER node
EXPOSE 3000
HEALTHCHECK CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT || 3000}/health/live`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "--max-semi-space-size=16", "bin/messenger.js"]
