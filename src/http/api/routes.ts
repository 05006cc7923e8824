import type { FastifyInstance } from "fastify";
import { Overview } from "../../runtime/overview.ts";
import type { Service } from "../../runtime/service.ts";
import { addInsightList } from "./insight-list.ts";
import { addOverviewRoutes } from "./overview-routes.ts";
import { addPipelineRoutes } from "./pipeline-routes.ts";
import { addRejectRoutes } from "./reject-routes.ts";
import { addSessionRoutes } from "./session-routes.ts";
import { addTableRoutes } from "./table-routes.ts";

/** All of `/api/…` that is about the service itself: docs/api.md. */
export function addApi(app: FastifyInstance, service: Service): void {
  const { catalogue, board, session, stopping } = service;
  const overview = new Overview({
    ...{ catalogue, board, session },
    states: () => service.pipelines,
    log: (url) => service.log(url),
  });
  addSessionRoutes(app);
  addOverviewRoutes(app, overview, stopping);
  addPipelineRoutes(app, catalogue, overview);
  addRejectRoutes(app, catalogue, session);
  addTableRoutes(app, catalogue, session);
  addInsightList(app, service.allInsights);
}
