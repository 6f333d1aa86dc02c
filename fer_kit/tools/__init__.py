"""What only the command line does; lessons never import it.

cli      the commands and their arguments
run      the notebooks in order, and how long they took; page: what is written of them
labs     notebooks without solutions; marking: an nbgrader course
watch    faces and emotions in pictures, a video or the camera
"""
