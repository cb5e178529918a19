import { hostSilenceMaxMs, type HostState } from "@podfleet/model/host";
import { sql } from "drizzle-orm";

import { hosts } from "./schema.ts";

/** A host's state, derived in this one place: whether its agent was heard in time, by the database's clock. */
export const hostState = sql<HostState>`case when ${hosts.lastSeenAt} > clock_timestamp() - make_interval(secs => ${sql.raw(String(hostSilenceMaxMs / 1000))}) then 'ready' else 'unreachable' end`;
