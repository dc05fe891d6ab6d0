package store

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"

	"go.etcd.io/bbolt"
)

// The buckets, and the keys in meta.
var (
	metaBucket      = []byte("meta")
	appsBucket      = []byte("apps")
	statusBucket    = []byte("status")
	eventsBucket    = []byte("events")
	snapshotsBucket = []byte("snapshots")

	schemaKey  = []byte("schema")
	nextIDKey  = []byte("next_id")
	nextKeyKey = []byte("next_key")
)

// errDamaged marks bytes that are not what was written.
var errDamaged = errors.New("damaged")

// crcSize is the length of the checksum before each value. bbolt checks only its
// two meta pages, so a bit that flips elsewhere would go unseen.
const crcSize = 4

// seal puts the checksum of key and payload before the payload.
func seal(key, payload []byte) []byte {
	out := make([]byte, crcSize, crcSize+len(payload))
	binary.BigEndian.PutUint32(out, checksum(key, payload))
	return append(out, payload...)
}

// unseal returns the payload of a value whose checksum fits.
func unseal(key, value []byte) ([]byte, error) {
	if len(value) < crcSize || binary.BigEndian.Uint32(value) != checksum(key, value[crcSize:]) {
		return nil, fmt.Errorf("cannot read the value of key %x: %w", key, errDamaged)
	}
	return value[crcSize:], nil
}

// crc32.MakeTable returns the same table each time for Castagnoli.
func checksum(key, payload []byte) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli)
	return crc32.Update(crc32.Checksum(key, table), table, payload)
}

func encode(key []byte, v any) ([]byte, error) {
	payload, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("cannot encode the value of key %x: %w", key, err)
	}
	return seal(key, payload), nil
}

func decode(key, value []byte, v any) error {
	payload, err := unseal(key, value)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(payload, v); err != nil {
		return fmt.Errorf("cannot read the value of key %x: %w (%w)", key, err, errDamaged)
	}
	return nil
}

func put(b *bbolt.Bucket, key []byte, v any) error {
	value, err := encode(key, v)
	if err != nil {
		return err
	}
	return b.Put(key, value)
}

// key64 is a number as a key: big endian, so that keys sort as numbers.
func key64(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// eventKey is seq and instance id: a scan for some instances decodes nothing else.
func eventKey(seq uint64, id int) []byte {
	return binary.BigEndian.AppendUint32(key64(seq), uint32(int32(id)))
}

const eventKeySize = 12

func splitEventKey(k []byte) (seq uint64, id int) {
	if len(k) != eventKeySize {
		return 0, -1
	}
	return binary.BigEndian.Uint64(k), int(int32(binary.BigEndian.Uint32(k[8:])))
}
