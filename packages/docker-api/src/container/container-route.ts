/** The parameters of a route below `/containers/:container`. */
export interface ContainerRoute {
  Params: {
    /** Name, id or id prefix. */
    readonly container: string;
  };
}
