/*
 * The Lua interpreter of the system's static library, with its standard libraries: runs the script
 * named first. A program that people use, whose library nobody here wrote.
 */
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdio.h>

int main(int argc, char **argv) {
    lua_State *L = luaL_newstate();
    if (!L || argc < 2)
        return 2;
    luaL_openlibs(L);
    int bad = luaL_dofile(L, argv[1]);
    if (bad)
        fprintf(stderr, "%s\n", lua_tostring(L, -1));
    lua_close(L);
    return bad != 0;
}
