// The types of the server's answers that this page reads, and of what is around it.

export interface FleetRow {
  endpoint_name: string;
  namespace: string;
  state: string;
  repository: string;
  hardware: string;
  ready_replicas: number;
  target_replicas: number;
  max_replica?: number;
  cost_now_per_hour_usd?: number;
  cost_at_most_per_hour_usd?: number;
  idle_minutes?: number;
  backend: string;
}

export interface Plan {
  effect: string;
  exposes?: string[];
  interrupts?: string;
  payload?: Record<string, any>;
  changes?: Setting[];
  per_hour_now_usd?: number;
  per_hour_after_usd?: number;
  per_hour_at_most_usd?: number;
  per_month_at_most_usd?: number;
  quota_left?: number;
  warnings?: string[];
}

/** A setting before and after a change. */
export interface Setting {
  setting: string;
  before?: any;
  after?: any;
}

/** Endpoints with the same outcome in an answer to a change of several. */
export interface Outcome {
  endpoint_names: string[];
  state?: string;
  outcome: string;
  cost_now_usd?: number;
  cost_after_usd?: number;
  changes?: string[];
  why?: string;
}

/** An answer with a plan that is not carried out yet. */
export interface Planned {
  plan: Plan;
  backend: string;
  endpoints?: Outcome[];
  chosen?: string[];
  model_facts?: string[];
}

export interface GraphSeries {
  metric: string;
  of: string;
  unit?: string;
  /** Seconds since the epoch. */
  at: number[];
  values: number[];
}

/** A call of a tool that changes something. */
export interface Change {
  title: string;
  /** The label of the button that goes on. */
  verb: string;
  tool: string;
  /** Its arguments. */
  given: Record<string, any>;
}

export interface Answer {
  action: "accept" | "decline" | "cancel";
  content?: Record<string, any>;
}

/** Asks the person what the server asks. */
export type Ask = (question: string, schema: any) => Promise<Answer>;

export interface CallOptions {
  meta?: Record<string, any>;
  /** Not in a host, which asks by itself. */
  ask?: Ask;
}

/** What is around this page, and calls the server's tools. */
export interface Host {
  /** Whether to read again by itself. */
  refreshes: boolean;
  canCall: boolean;
  /** Of the call whose answer is shown; empty in a browser. */
  toolName: string;
  toolArguments: Record<string, any>;
  onResult: (result: any) => void;
  /** Shows this page larger; null where the host cannot. */
  enlarge: (() => void) | null;
  connect(): Promise<void>;
  callTool(name: string, given: Record<string, any>, options?: CallOptions): Promise<any>;
  /** Tells the model what the person did here; it would not know. */
  tellModel(text: string): void;
}

declare global {
  /** Of this server. `page.py` puts it before the modules. */
  const VERSION: string;
  /** uPlot, which is in the page before the modules. */
  const uPlot: any;
}
