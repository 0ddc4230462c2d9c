/** SHA-256 of the component, in hexadecimal. */
export declare const digest: string
/** Core modules of some hundred bytes, by name, in base64. */
export declare const small: { [name: string]: string }
