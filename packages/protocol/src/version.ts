/** Of EVM: what every program tells of itself. The package files bear the same. */
export const VERSION = "0.1.0";
