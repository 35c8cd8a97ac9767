/** What an agent sends runs in its session's frame loop: a throw there would end the process. */
export function guarded<Argument>(
  run: (argument: Argument) => void,
  onThrow: (error: unknown) => void,
): (argument: Argument) => void {
  return (argument) => {
    try {
      run(argument);
    } catch (error) {
      onThrow(error);
    }
  };
}
