/* A disk that can fail: an SQLite VFS over the platform's own one.
**
** Files under the prefix of a "disk" are watched: what was overwritten since the last sync is kept,
** so that a power cut can take it back sector by sector, and chosen operations can be made to fail.
** Files elsewhere are opened by the platform's VFS itself and never pass through here.
**
** What is modelled:
** - Bytes are durable after xSync of their file; so is the file's size, and that the file exists.
** - The first xSync of a new log or journal, and xDelete with its flag, sync the directory.
** - A cut keeps, loses or tears every unsynced sector on its own; bytes that weren't written never
**   change (SQLITE_IOCAP_POWERSAFE_OVERWRITE holds).  Sectors of a lost extension read as zeros.
** - A sync that fails leaves its pages clean and unwritten, as Linux does: a later sync succeeds,
**   yet they are gone after a cut unless they were written again.
** - After a cut or a kill every older handle is dead: it fails, and changes nothing.  The files get
**   new inodes, so that locks of dead handles bind nobody.
** Chance comes from the seed, the path below the prefix and the sector's number alone.
*/
#include <sqlite3ext.h>
SQLITE_EXTENSION_INIT1
#include "platters.h"

static sqlite3_vfs *orig, shim;
#define REAL(p) (((File*)(p))->real)
#define LOCK() pthread_mutex_lock(&mutex)
#define UNLOCK() pthread_mutex_unlock(&mutex)


/* Failing ------------------------------------------------------------------------------------ */
static int hit(Disk *d, int kind, int file, int creates){
  int error = E_NONE;
  d->counts[kind]++;
  for(int i=0; i<d->nrules; i++){
    Rule *r = &d->rules[i];
    if( !(r->kinds & 1<<kind) || !(r->files & file) ) continue;
    if( kind==K_OPEN && r->error==E_ENOSPC && !creates ) continue;
    r->seen++;
    if( r->seen>=r->nth && (!r->times || r->seen<r->nth+r->times) && !error ) error = r->error;
  }
  if( error ) d->fired[kind]++;
  return error;
}
#define ENTER(p) File *f = (File*)(p); LOCK(); \
  if( f->gen!=f->disk->gen ){ UNLOCK(); return SQLITE_IOERR; }
#define LEAVE(rc) do{ int rc_ = (rc); UNLOCK(); return rc_; }while(0)
#define HIT(op) hit(f->disk, op, f->node->kind, 0)
#define M(p) REAL(p)->pMethods

static int io_close(sqlite3_file *p){
  File *f = (File*)p;
  LOCK();
  if( f->gen==f->disk->gen ) f->node->refs--;
  LEAVE(M(p)->xClose(REAL(p)));
}
static int io_read(sqlite3_file *p, void *to, int n, sqlite3_int64 at){
  ENTER(p)
  switch( HIT(K_READ) ){
    case E_NONE: LEAVE(M(p)->xRead(REAL(p), to, n, at));
    case E_SHORT_READ:
      memset(to, 0, (size_t)n); M(p)->xRead(REAL(p), to, n/2, at);
      LEAVE(SQLITE_IOERR_SHORT_READ);
    default: LEAVE(SQLITE_IOERR_READ);
  }
}
static int io_write(sqlite3_file *p, const void *from, int n, sqlite3_int64 at){
  ENTER(p)
  int error = HIT(K_WRITE);
  if( error==E_EIO ) LEAVE(SQLITE_IOERR_WRITE);
  if( error==E_ENOSPC ) LEAVE(SQLITE_FULL);
  if( error==E_SHORT_WRITE ) n /= 2;
  if( f->disk->track ) remember(f->node, f->real, at, at+n);
  int rc = M(p)->xWrite(REAL(p), from, n, at);
  LEAVE(error ? SQLITE_FULL : rc);
}
static int io_truncate(sqlite3_file *p, sqlite3_int64 size){
  ENTER(p)
  int error = HIT(K_TRUNCATE);
  if( error ) LEAVE(error==E_ENOSPC ? SQLITE_FULL : SQLITE_IOERR_TRUNCATE);
  if( f->disk->track ) remember(f->node, f->real, size, f->node->size);
  LEAVE(M(p)->xTruncate(REAL(p), size));
}
static int io_sync(sqlite3_file *p, int flags){
  ENTER(p)
  Node *n = f->node; sqlite3_int64 size;
  if( HIT(K_SYNC) ){ doom(n); LEAVE(SQLITE_IOERR_FSYNC); }
  if( !f->disk->track ) LEAVE(M(p)->xSync(REAL(p), flags));
  forget(n, 0); /* the machine's own disk isn't bothered: only our platters matter */
  if( M(p)->xFileSize(REAL(p), &size)==SQLITE_OK ) n->size = size;
  if( !n->exists && n->kind!=F_DB ) sync_directory(f->disk, n->path);
  Node *ghost = n->exists ? 0 : ghost_of(f->disk, n->path);
  if( ghost ) ghost->deleted = 2;
  n->exists = 1;
  LEAVE(SQLITE_OK);
}
static int io_size(sqlite3_file *p, sqlite3_int64 *size){
  ENTER(p) LEAVE(M(p)->xFileSize(REAL(p), size));
}
static int io_lock(sqlite3_file *p, int level){
  ENTER(p) LEAVE(HIT(K_LOCK) ? SQLITE_IOERR_LOCK : M(p)->xLock(REAL(p), level));
}
static int io_unlock(sqlite3_file *p, int level){ return M(p)->xUnlock(REAL(p), level); }
static int io_reserved(sqlite3_file *p, int *out){ return M(p)->xCheckReservedLock(REAL(p), out); }
static int io_control(sqlite3_file *p, int op, void *arg){ return M(p)->xFileControl(REAL(p), op, arg); }
static int io_sector(sqlite3_file *p){ return M(p)->xSectorSize(REAL(p)); }
static int io_traits(sqlite3_file *p){ return M(p)->xDeviceCharacteristics(REAL(p)); }
static int io_shm_map(sqlite3_file *p, int region, int size, int extend, void volatile **out){
  ENTER(p)
  int rc = M(p)->xShmMap(REAL(p), region, size, 0, out);
  if( rc!=SQLITE_OK || *out || !extend ) LEAVE(rc);
  int error = HIT(K_SHM);
  if( error ) LEAVE(error==E_ENOSPC ? SQLITE_IOERR_SHMSIZE : SQLITE_IOERR_SHMMAP);
  LEAVE(M(p)->xShmMap(REAL(p), region, size, 1, out));
}
static int io_shm_lock(sqlite3_file *p, int at, int n, int flags){
  File *f = (File*)p; /* a single word is read: no mutex on this path */
  if( __atomic_load_n(&f->disk->gen, __ATOMIC_RELAXED)!=f->gen && (flags & SQLITE_SHM_LOCK) )
    return SQLITE_IOERR;
  return M(p)->xShmLock(REAL(p), at, n, flags);
}
static void io_barrier(sqlite3_file *p){ M(p)->xShmBarrier(REAL(p)); }
static int io_shm_unmap(sqlite3_file *p, int erase){
  File *f = (File*)p;
  if( f->gen!=f->disk->gen ) erase = 0;
  return M(p)->xShmUnmap(REAL(p), erase);
}
static const sqlite3_io_methods methods = { 2, io_close, io_read, io_write, io_truncate, io_sync,
  io_size, io_lock, io_unlock, io_reserved, io_control, io_sector, io_traits, io_shm_map,
  io_shm_lock, io_barrier, io_shm_unmap, 0, 0 };

static int vfs_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *p, int flags, int *out){
  (void)vfs;
  LOCK();
  Disk *d = path && !(flags & SQLITE_OPEN_DELETEONCLOSE) ? disk_of(path) : 0;
  if( !d ){ UNLOCK(); return orig->xOpen(orig, path, p, flags, out); }
  File *f = (File*)p;
  int kind = flags & SQLITE_OPEN_WAL ? F_WAL : flags & SQLITE_OPEN_MAIN_JOURNAL ? F_JOURNAL
    : flags & SQLITE_OPEN_MAIN_DB ? F_DB : F_OTHER;
  int found = access(path, F_OK)==0;
  memset(f, 0, sizeof *f);
  if( hit(d, K_OPEN, kind, !found && (flags & SQLITE_OPEN_CREATE)) ) LEAVE(SQLITE_CANTOPEN);
  f->real = (sqlite3_file*)&f[1];
  memset(f->real, 0, (size_t)orig->szOsFile);
  int rc = orig->xOpen(orig, path, f->real, flags, out);
  if( rc==SQLITE_OK ){
    f->disk = d; f->gen = d->gen; f->node = enter(d, path, kind, found); f->base.pMethods = &methods;
  }
  LEAVE(rc);
}
static int vfs_delete(sqlite3_vfs *vfs, const char *path, int sync_dir){
  (void)vfs;
  LOCK();
  Disk *d = disk_of(path);
  if( !d ){ UNLOCK(); return orig->xDelete(orig, path, sync_dir); }
  if( hit(d, K_DELETE, kind_of(path), 0) ) LEAVE(SQLITE_IOERR_DELETE);
  Node *n = d->track ? node_of(d, path) : 0;
  if( n ){
    n->deleted = 2;
    if( n->exists && (n->mem = contents(path, &n->mem_size)) ) n->deleted = 1;
  }
  int rc = orig->xDelete(orig, path, sync_dir);
  if( rc==SQLITE_OK && sync_dir ) sync_directory(d, path);
  LEAVE(rc);
}

/* Power and process -------------------------------------------------------------------------- */
void faultdisk_cut(int slot, uint64_t seed, int sector, double keep, double torn, int64_t *out){
  LOCK();
  Disk *d = &disks[slot]; Cut cut = {0,0,0,0,0};
  for(Node *n=d->nodes; n; n=n->next){
    struct stat st; char *all = 0; int64_t size = 0;
    if( n->deleted ) continue;
    remove_shm(n->path);
    Node *ghost = ghost_of(d, n->path);
    if( ghost && unit(mix(path_seed(d, n, seed)^4))>=keep ) continue; /* the old one comes back */
    if( stat(n->path, &st) || st.st_ino!=n->ino ) continue;           /* replaced from outside */
    if( !n->exists && unit(mix(path_seed(d, n, seed)^5))>=keep ){
      unlink(n->path); cut.files_gone++;
    }else if( (all = contents(n->path, &size)) ){
      size = settle(d, n, &all, size, seed, sector, keep, torn, &cut);
      put(n->path, all, size); free(all);
    }
  }
  for(Node *n=d->nodes; n; n=n->next){
    if( n->deleted!=1 || unit(mix(path_seed(d, n, seed)^4))<keep || !housed(n->path) ) continue;
    int64_t size = settle(d, n, &n->mem, n->mem_size, seed, sector, keep, torn, &cut);
    put(n->path, n->mem, size); cut.files_back++;
  }
  drop_all(d);
  __atomic_store_n(&d->gen, ++generations, __ATOMIC_RELAXED);
  memcpy(out, &cut, sizeof cut);
  UNLOCK();
}
void faultdisk_kill(int slot){
  LOCK();
  Disk *d = &disks[slot];
  for(Node *n=d->nodes; n; n=n->next){
    struct stat st; int64_t size; char *all;
    if( n->deleted || !n->refs || stat(n->path, &st) || st.st_ino!=n->ino ) continue;
    remove_shm(n->path);
    if( (all = contents(n->path, &size)) ) put(n->path, all, size);
    free(all); n->refs = 0;
    if( !stat(n->path, &st) ) n->ino = st.st_ino;
  }
  __atomic_store_n(&d->gen, ++generations, __ATOMIC_RELAXED);
  UNLOCK();
}

/* SQLite's own random numbers (the salts of its log) from a seed, for the whole process. */
static uint64_t chance;
static int vfs_randomness(sqlite3_vfs *vfs, int n, char *out){
  (void)vfs;
  if( !chance ) return orig->xRandomness(orig, n, out);
  for(int i=0; i<n; i++) out[i] = (char)mix(chance + (uint64_t)i);
  return n;
}
void faultdisk_seed(uint64_t seed, int seeded){
  chance = seeded ? mix(seed) | 1 : 0;
  sqlite3_randomness(0, 0); /* drawn afresh at its next use */
}

/* Control ------------------------------------------------------------------------------------ */
int faultdisk_open(const char *prefix, int track){
  LOCK();
  int slot = 0;
  while( slot<DISKS && disks[slot].prefix ) slot++;
  if( slot<DISKS ){
    Disk *d = &disks[slot];
    memset(d, 0, sizeof *d);
    d->prefix = need(strdup(prefix)); d->plen = strlen(prefix); d->track = track; d->gen = ++generations;
  }
  UNLOCK();
  return slot<DISKS ? slot : -1;
}
void faultdisk_close(int slot){
  LOCK();
  Disk *d = &disks[slot];
  drop_all(d); free(d->prefix); d->prefix = 0; d->gen = ++generations;
  UNLOCK();
}
int faultdisk_fail(int slot, int kinds, int64_t nth, int error, int64_t times, int files){
  static const int can[] = { 0, (1<<KINDS)-1, 1<<K_OPEN|1<<K_WRITE|1<<K_SYNC|1<<K_TRUNCATE|1<<K_SHM,
    1<<K_READ, 1<<K_WRITE };
  LOCK();
  Disk *d = &disks[slot];
  int ok = d->nrules<RULES && (kinds & can[error]);
  if( ok ) d->rules[d->nrules++] = (Rule){kinds & can[error], files, error, nth, times, 0};
  UNLOCK();
  return ok;
}
void faultdisk_clear(int slot){ LOCK(); disks[slot].nrules = 0; UNLOCK(); }
void faultdisk_counts(int slot, int64_t *counts, int64_t *fired){
  LOCK();
  memcpy(counts, disks[slot].counts, sizeof disks[slot].counts);
  memcpy(fired, disks[slot].fired, sizeof disks[slot].fired);
  UNLOCK();
}
int sqlite3_extension_init(sqlite3 *db, char **message, const sqlite3_api_routines *api){
  (void)db; (void)message;
  SQLITE_EXTENSION_INIT2(api);
  if( orig ) return SQLITE_OK_LOAD_PERMANENTLY;
  orig = sqlite3_vfs_find(0); shim = *orig;
  shim.pNext = 0; shim.zName = "faultdisk";
  shim.szOsFile = (int)sizeof(File)+orig->szOsFile; shim.xOpen = vfs_open; shim.xDelete = vfs_delete;
  shim.xRandomness = vfs_randomness;
  int rc = sqlite3_vfs_register(&shim, 1);
  return rc ? rc : SQLITE_OK_LOAD_PERMANENTLY;
}
