// What nginx's configuration does with one request: a derived fact. doctor/nginx computes it, causes read it.

export interface Place {
  readonly file: string;
  readonly line: number;
}

/** The state of one header that nginx sends upstream. */
export interface ForwardedHeader {
  /** As written, e.g. `$http_upgrade`; null = not set on this route (nginx then drops Upgrade and sends `Connection: close`). */
  readonly value: string | null;
  /** What that evaluates to for a WebSocket upgrade request; null = depends on something unknown. */
  readonly sends: string | null;
  readonly place: Place | null;
}

export interface RouteAdvice {
  /** `W01` … `W25`. */
  readonly rule: string;
  readonly text: string;
  readonly place: Place | null;
}

export interface RouteFact {
  readonly host: string;
  readonly path: string;
  readonly port: number;
  /** `proxy`: passed on; `return`: answered by nginx; `static`: root/try_files/index; `denied`; `no-server`: nothing listens on that port; `undecided`: not computable. */
  readonly action: 'proxy' | 'return' | 'static' | 'denied' | 'no-server' | 'undecided';
  /** Why `undecided` (or a caveat that makes the rest uncertain), else ''. */
  readonly caveat: string;
  readonly server:
    | (Place & {
        readonly names: readonly string[];
        readonly isDefault: boolean;
        readonly matched: boolean;
        /** No other block shares its socket. */
        readonly alone: boolean;
      })
    | null;
  /** Every `listen` of the socket that takes the request, other blocks' included: nginx joins their options. */
  readonly listens: readonly (Place & { readonly text: string })[];
  /** The names of all blocks on that socket. */
  readonly knownNames: readonly (Place & { readonly name: string })[];
  /** `ssl_reject_handshake on` of the chosen block. */
  readonly rejectsHandshake: Place | null;
  readonly location: (Place & { readonly modifier: string; readonly pattern: string }) | null;
  /** The directive that answers by itself: `return`, `rewrite`, or the access rule that refuses. */
  readonly answeredBy: (Place & { readonly modifier: string; readonly pattern: string }) | null;
  /** For `return`/redirect: the status and the text or target. */
  readonly status: number | null;
  readonly target: {
    readonly scheme: string;
    /** `127.0.0.1:8081`, or every member of the upstream block. Only literal hosts and names; empty if from an unknown variable. */
    readonly addresses: readonly {
      readonly host: string;
      readonly port: number;
      /** Its own line in the upstream block. */
      readonly place?: Place;
    }[];
    /** The path that the upstream receives. */
    readonly upstreamPath: string;
    readonly viaVariable: boolean;
    readonly upstreamName: string | null;
    /** What nginx sends as Host unless the route sets another; null = not known. */
    readonly host: string | null;
    readonly place: Place;
    readonly text: string;
  } | null;
  readonly upgradeHeader: ForwardedHeader;
  readonly connectionHeader: ForwardedHeader;
  readonly hostHeader: ForwardedHeader;
  /** Headers of the WebSocket handshake that this route sets itself; nginx passes on by itself what is not listed. */
  readonly handshakeHeaders: readonly { readonly name: string; readonly value: string; readonly place: Place }[];
  readonly httpVersion: string | null;
  /** Effective values, seconds; null = nginx's default (60). */
  readonly readTimeoutSeconds: number | null;
  readonly sendTimeoutSeconds: number | null;
  /** allow/deny, auth_basic, limits that apply to this route, with their place. */
  readonly access: readonly (Place & { readonly directive: string; readonly text: string })[];
  /** `auth_request` in front of the route, and where its sub-request leads. */
  readonly guard:
    | (Place & {
        readonly text: string;
        readonly action: RouteFact['action'];
        readonly status: number | null;
        readonly location: RouteFact['location'];
        readonly target: RouteFact['target'];
      })
    | null;
  /** `proxy_bind`: the address that nginx dials from. */
  readonly bind: (Place & { readonly value: string }) | null;
  /** Limits, header rules and TLS settings that hold for this route, `proxy_hide_header` of it, and limits of the whole process. */
  readonly settings: readonly (Place & { readonly directive: string; readonly value: string })[];
  readonly advice: readonly RouteAdvice[];
}
