// What is known of an installation before it is looked at, and is no part of what it is judged against.

/** Where the programs of one installation listen and what runs them, beyond the topology that is judged. */
export interface Hints {
  /** A private nginx's main file. */
  readonly nginxEntry: string | null;
  readonly backendConfig: string | null;
  readonly gatewayConfig: string | null;
  readonly gatewayApiPort: number;
}

export const noHints: Hints = { nginxEntry: null, backendConfig: null, gatewayConfig: null, gatewayApiPort: 8443 };
