// What a machine tells: counted, and logged where an operator should know. Events and their texts are neither; local users have no client here yet.
import type { Address, Notification } from "hublet";
import type { Counts } from "./counts.js";
import { log } from "./log.js";

export function tell(machine: Address, told: Notification, counts: Counts): void {
  switch (told.type) {
    case "appended":
      counts.add("hublet_events_appended_total");
      break;
    case "refused": {
      const { rung, rule, errcode, origin, eventId } = told;
      counts.add("hublet_events_refused_total", { rung, rule });
      log("warn", "event refused", { machine, ...(origin && { origin }), ...(eventId && { event: eventId }), rung, rule, errcode });
      break;
    }
    case "rejected":
    case "hole":
      counts.add("hublet_notices_total", { type: told.type });
      log("warn", `event ${told.type}`, { machine, event: told.eventId });
      break;
    case "fork":
      counts.add("hublet_notices_total", { type: told.type });
      log("error", "log forked", { machine });
      break;
    case "notSent":
      counts.add("hublet_notices_total", { type: told.type });
      log("warn", "event not sent", { machine, event: told.lpduId, status: told.status, errcode: told.errcode });
      break;
    case "resent":
    case "rechecked":
    case "purged":
    case "filled":
      counts.add("hublet_notices_total", { type: told.type });
      break;
  }
}
