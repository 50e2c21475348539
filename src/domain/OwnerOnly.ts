/** The modes of all that is made: nobody but its owner may read it. */
export const file = 0o600
export const directory = 0o700
