from aeos.cli import main

main()
