/** What discovery needs of the metrics: a number for each set of labels that workers count under. */
export interface SeriesAllocator {
  /** Never fails: beyond its bound it returns the number of the common rest. */
  allocate(labels: {
    readonly direction: "outbound" | "inbound";
    readonly authority: string;
    /** `ip:port`, or empty for what fails before an endpoint was chosen. */
    readonly target: string;
  }): number;
  free(series: number): void;
}
