/** What control plane and sidecars must agree on: who the control plane is, and its methods. */

export const CONTROL_NAME = "control";
export const CONTROL_NAMESPACE = "outrigger";

/** linkerd2-proxy-api's identity.proto, and ours. */
export const CERTIFY = "/io.linkerd.proxy.identity.Identity/Certify";
export const WATCH_TRUST = "/outrigger.control.Trust/Watch";

/** linkerd2-proxy-api's destination.proto. */
export const GET_DESTINATION = "/io.linkerd.proxy.destination.Destination/Get";
export const GET_PROFILE = "/io.linkerd.proxy.destination.Destination/GetProfile";

/** … inbound.proto. */
export const GET_PORT = "/io.linkerd.proxy.inbound.InboundServerPolicies/GetPort";
export const WATCH_PORT = "/io.linkerd.proxy.inbound.InboundServerPolicies/WatchPort";

/** … outbound.proto. */
export const GET_OUTBOUND = "/io.linkerd.proxy.outbound.OutboundPolicies/Get";
export const WATCH_OUTBOUND = "/io.linkerd.proxy.outbound.OutboundPolicies/Watch";

/** Ours, announce.proto. */
export const ANNOUNCE = "/outrigger.control.Announcer/Announce";
export const WITHDRAW = "/outrigger.control.Announcer/Withdraw";
