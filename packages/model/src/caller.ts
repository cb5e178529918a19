/** Who uses the API, known by the name of the API token that was presented. */
export interface Caller {
  readonly name: string;
}
