/** Raised when a message changes in a way an older peer cannot ignore. Both sides speak every version from MIN to CURRENT. */
export const PROTOCOL_VERSION = 1;
export const PROTOCOL_VERSION_MIN = 1;
/** Version of the product, shown to people and sent by agents. */
export const PRODUCT_VERSION = '0.1.0';
