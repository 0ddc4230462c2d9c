export declare const instantiate: import('../jco.js').Instantiate
