package store

// bootKey holds the id of the machine's boot at which the file was opened last.
var bootKey = []byte("boot")

// Boot remembers the id of the present boot of the machine and returns the one before it, "" if
// there is none: process ids of another boot mean nothing.
func (db *DB) Boot(now string) (before string, err error) {
	err = db.Update(func(tx *Tx) error {
		before = ""
		b := tx.b.Bucket(metaBucket)
		if v := b.Get(bootKey); v != nil {
			if err := decode(bootKey, v, &before); err != nil {
				return err
			}
		}
		return put(b, bootKey, now)
	})
	return before, err
}
