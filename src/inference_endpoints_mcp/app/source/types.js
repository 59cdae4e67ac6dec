/**
 * The types of the server's answers that this page reads, and of what is around it.
 *
 * @typedef {Object} FleetRow
 * @property {string} endpoint_name
 * @property {string} namespace
 * @property {string} state
 * @property {string} repository
 * @property {string} hardware
 * @property {number} ready_replicas
 * @property {number} target_replicas
 * @property {number} [max_replica]
 * @property {number} [cost_now_per_hour_usd]
 * @property {number} [cost_at_most_per_hour_usd]
 * @property {number} [idle_minutes]
 * @property {string} backend
 *
 * @typedef {Object} Plan
 * @property {string} effect
 * @property {string[]} [exposes]
 * @property {string} [interrupts]
 * @property {Record<string, any>} [payload]
 * @property {{setting: string, before?: any, after?: any}[]} [changes]
 * @property {number} [per_hour_now_usd]
 * @property {number} [per_hour_after_usd]
 * @property {number} [per_hour_at_most_usd]
 * @property {number} [per_month_at_most_usd]
 * @property {string[]} [warnings]
 *
 * @typedef {Object} Outcome one of several endpoints in an answer to a change
 * @property {string} endpoint_name
 * @property {string} [state]
 * @property {string} outcome
 * @property {number} [cost_now_usd]
 * @property {number} [cost_after_usd]
 * @property {string[]} [changes]
 * @property {string} [why]
 *
 * @typedef {Object} GraphSeries
 * @property {string} metric
 * @property {string} of
 * @property {string} [unit]
 * @property {number[]} at seconds since the epoch
 * @property {number[]} values
 *
 * @typedef {Object} Change a call of a tool that changes something
 * @property {string} title
 * @property {string} verb the label of the button that goes on
 * @property {string} tool
 * @property {Record<string, any>} given its arguments
 *
 * @typedef {(question: string, schema: any) => Promise<{action: string, content?: Record<string, any>}>} Ask
 *
 * @typedef {Object} CallOptions
 * @property {Record<string, any>} [meta]
 * @property {Ask} [ask] asks the person what the server asks; in a host the host does
 *
 * @typedef {Object} Host what is around this page, and calls the server's tools
 * @property {boolean} refreshes whether to read again by itself
 * @property {boolean} canCall
 * @property {string} toolName of the call whose answer is shown; empty in a browser
 * @property {Record<string, any>} toolArguments
 * @property {(result: any) => void} onResult
 * @property {() => Promise<void>} connect
 * @property {(name: string, given: Record<string, any>, options?: CallOptions) => Promise<any>} callTool
 */
