/** The version of this program: in --version, HELLO and the CR's status. Kept equal to package.json by a test. */
export const VERSION = '0.1.0';
