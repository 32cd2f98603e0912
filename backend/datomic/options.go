package datomic

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/cache"
	"github.com/rclone/rclone/fs/config/configmap"
	"github.com/rclone/rclone/fs/config/configstruct"
	"github.com/rclone/rclone/fs/config/obscure"

	"github.com/rclone-datom/rclone-datom/backend/internal/segfs"
	"github.com/rclone-datom/rclone-datom/sync/storage"
	"github.com/rclone-datom/rclone-datom/sync/table"
)

// backup is the storage that is not SQL.
const backup = "backup"

var options = []fs.Option{{
	Name: "storage",
	Help: "Where the database lies.\n\nLeave blank for sqlite if path is given, for backup if remote is, and for cloudsql if instance is.",
	Examples: fs.OptionExamples{
		{Value: table.Postgres, Help: "PostgreSQL"},
		{Value: table.MySQL, Help: "MySQL or MariaDB"},
		{Value: table.CloudSQL, Help: "Cloud SQL (PostgreSQL or MySQL), without a proxy"},
		{Value: table.SQLite, Help: "SQLite file"},
		{Value: backup, Help: "Backup in Datomic's own layout, on any remote"},
	},
	Exclusive: true,
}, {
	Name:      "host",
	Help:      "Host of the SQL server.\n\nA name, an address, or the directory (PostgreSQL) or path (MySQL) of a Unix socket. Leave blank for localhost.",
	Sensitive: true,
}, {
	Name:    "port",
	Help:    "Port of the SQL server.\n\nLeave at 0 for 5432 (PostgreSQL) or 3306 (MySQL).",
	Default: 0,
}, {
	Name:      "user",
	Help:      "User on the SQL server.\n\nOne that may only read the table suffices for backups. With iam it is the account's name as the database knows it.",
	Sensitive: true,
}, {
	Name:       "pass",
	Help:       "Password on the SQL server.",
	IsPassword: true,
}, {
	Name: "dbname",
	Help: "Database on the SQL server in which the table is.\n\nDatomic's instructions call it \"datomic\".",
}, {
	Name: "database",
	Help: "Name of the Datomic database.\n\nLeave blank if the table has only one. The database's id does as well, also that of a deleted one.",
}, {
	Name: "sslmode",
	Help: "Whether connections are encrypted and the server is verified.",
	Examples: fs.OptionExamples{
		{Value: "prefer", Help: "Encrypted if the server can, not verified"},
		{Value: "disable", Help: "Not encrypted"},
		{Value: "require", Help: "Encrypted, not verified"},
		{Value: "verify-ca", Help: "Encrypted, certificate verified"},
		{Value: "verify-full", Help: "Encrypted, certificate and host name verified"},
	},
	Default:   "prefer",
	Exclusive: true,
	Advanced:  true,
}, {
	Name:     "root_cert",
	Help:     "PEM file of the certificates by which the server is verified.\n\nLeave blank for the system's.",
	Advanced: true,
}, {
	Name:     "table",
	Help:     "Table in which Datomic keeps its rows, perhaps with a schema.",
	Default:  "datomic_kvs",
	Advanced: true,
}, {
	Name: "path",
	Help: "SQLite file.",
}, {
	Name: "instance",
	Help: "Cloud SQL instance, as \"project:region:instance\".",
}, {
	Name:      "engine",
	Help:      "What the Cloud SQL instance runs.",
	Examples:  fs.OptionExamples{{Value: table.Postgres, Help: "PostgreSQL"}, {Value: table.MySQL, Help: "MySQL"}},
	Exclusive: true,
}, {
	Name:    "iam",
	Help:    "Log in to Cloud SQL as the Google account that the environment has, without a password.",
	Default: false,
}, {
	Name:     "private_ip",
	Help:     "Reach the Cloud SQL instance by its private address.",
	Default:  false,
	Advanced: true,
}, {
	Name: "remote",
	Help: "Remote or path that holds a backup in Datomic's own layout.\n\nThe directory with \"owner\", \"roots\" and \"values\", for instance \"s3:bucket/mydb\".",
}, {
	Name:     "pace",
	Help:     "How long a connection rests for each segment that it has read.\n\nWith its unit: 5ms spares a busy server, as it bounds each connection to 200 segments a second.",
	Default:  fs.Duration(0),
	Advanced: true,
}, {
	Name:     "connections",
	Help:     "How many connections to the SQL server are open at a time.",
	Default:  2,
	Advanced: true,
}, {
	Name:     "batch",
	Help:     "How many rows one query fetches.",
	Default:  256,
	Advanced: true,
}, {
	Name:     "timeout",
	Help:     "How long an SQL statement may take.",
	Default:  fs.Duration(5 * time.Minute),
	Advanced: true,
}}

// Options are the settings of a remote.
type Options struct {
	Storage     string      `config:"storage"`
	Host        string      `config:"host"`
	Port        int         `config:"port"`
	User        string      `config:"user"`
	Pass        string      `config:"pass"` // obscured
	DBName      string      `config:"dbname"`
	Database    string      `config:"database"`
	SSLMode     string      `config:"sslmode"`
	RootCert    string      `config:"root_cert"`
	Table       string      `config:"table"`
	Path        string      `config:"path"`
	Instance    string      `config:"instance"`
	Engine      string      `config:"engine"`
	IAM         bool        `config:"iam"`
	PrivateIP   bool        `config:"private_ip"`
	Remote      string      `config:"remote"`
	Pace        fs.Duration `config:"pace"`
	Connections int         `config:"connections"`
	Batch       int         `config:"batch"`
	Timeout     fs.Duration `config:"timeout"`
}

// read takes the options, and fills in the storage that they imply.
func read(m configmap.Mapper) (Options, error) {
	var opt Options
	if err := configstruct.Set(m, &opt); err != nil {
		return opt, err
	}
	if opt.Storage == "" {
		opt.Storage = opt.implied()
	}
	switch opt.Storage {
	case table.Postgres, table.MySQL, table.CloudSQL, table.SQLite:
		return opt, nil
	case backup:
		if opt.Remote == "" {
			return opt, errors.New("datomic: no remote: say where the backup lies, as :datomic,remote='s3:bucket/mydb': does")
		}
		return opt, nil
	case "":
		return opt, errors.New("datomic: no storage: say where the database lies, as :datomic,path=/var/lib/datomic.db: " +
			"or :datomic,storage=postgres,host=db,user=datomic,dbname=datomic: does")
	}
	return opt, fmt.Errorf("datomic: storage %q is none of postgres, mysql, cloudsql, sqlite, backup", opt.Storage)
}

func (o *Options) implied() string {
	switch {
	case o.Path != "" && o.Remote == "" && o.Instance == "":
		return table.SQLite
	case o.Remote != "" && o.Path == "" && o.Instance == "":
		return backup
	case o.Instance != "" && o.Path == "" && o.Remote == "":
		return table.CloudSQL
	}
	return ""
}

// OpenTable opens the table that a remote's settings name, for writing as well
// if write is set. The Datomic database need not exist, nor need the table.
func OpenTable(ctx context.Context, m configmap.Mapper, write bool) (*table.Table, Options, error) {
	opt, err := read(m)
	if err != nil {
		return nil, opt, err
	}
	t, err := opt.table(ctx, write)
	if err != nil {
		return nil, opt, fmt.Errorf("datomic: %w", err)
	}
	return t, opt, nil
}

func (o *Options) table(ctx context.Context, write bool) (*table.Table, error) {
	if o.Storage == backup {
		return nil, errors.New("a backup is no SQL storage")
	}
	pass := ""
	if o.Pass != "" {
		var err error
		if pass, err = obscure.Reveal(o.Pass); err != nil {
			return nil, fmt.Errorf("pass is not obscured (use rclone-datom obscure): %w", err)
		}
	}
	pace := time.Duration(o.Pace)
	if o.Pace == fs.DurationOff {
		pace = 0
	}
	return table.Open(ctx, table.Config{
		Kind: o.Storage, Host: o.Host, Port: o.Port, User: o.User, Password: pass, DBName: o.DBName,
		TLS: o.SSLMode, RootCert: o.RootCert, Path: o.Path,
		Instance: o.Instance, Engine: o.Engine, IAM: o.IAM, PrivateIP: o.PrivateIP,
		Table: o.Table, Connections: o.Connections, Batch: o.Batch,
		Pace: pace, Timeout: time.Duration(o.Timeout), Write: write,
	})
}

// base is the remote on which a backup lies, or nil where the storage is SQL.
func (o *Options) base(ctx context.Context, name string) (fs.Fs, error) {
	if o.Storage != backup {
		return nil, nil
	}
	if segfs.Itself(name, o.Remote) {
		return nil, errors.New("datomic: remote points at the remote itself")
	}
	base, err := cache.Get(ctx, o.Remote)
	if errors.Is(err, fs.ErrorIsFile) {
		return nil, errors.New("datomic: remote names a file: name the directory that holds the backup")
	}
	if err != nil {
		return nil, fmt.Errorf("datomic: cannot open the remote: %w", err)
	}
	return base, nil
}

// openBackup opens the newest point of a backup. The name that the database has
// by now is not in it, only its id, which begins with the first.
func (o *Options) openBackup(ctx context.Context, base fs.Fs) (storage.Storage, error) {
	b, err := storage.OpenBackup(ctx, base, 0)
	if err != nil || o.Database == "" {
		return b, err
	}
	v, err := b.Pin(ctx)
	if err == nil && o.Database != v.DatabaseID {
		err = fmt.Errorf("%s is the backup of %s: leave database blank, or give this id", b, v.DatabaseID)
	}
	return b, err
}

// open opens the database, which must exist.
func (o *Options) open(ctx context.Context, base fs.Fs) (storage.Storage, error) {
	if base != nil {
		return o.openBackup(ctx, base)
	}
	t, err := o.table(ctx, false)
	if err != nil {
		return nil, err
	}
	s, err := storage.OpenSQL(ctx, t, o.Database)
	if err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return s, nil
}
