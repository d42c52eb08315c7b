/** An answer that is not what was asked for. Its message is fixed text, fit for logs. */
export class UnusableAnswer extends Error {
  override readonly name: string = "UnusableAnswer";
  /** Of the HTTP answer, where it is what is wrong. */
  readonly status: number | undefined;

  constructor(message: string, status?: number) {
    super(message);
    this.status = status;
  }
}
